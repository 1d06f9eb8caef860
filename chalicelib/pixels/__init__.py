"""From bytes that nobody vouches for to pixels: what the working copy and delivery have in common."""
