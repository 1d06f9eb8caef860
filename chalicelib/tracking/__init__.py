"""What visitors did with images: taken in over HTTP, counted exactly, archived, and read as labels."""
