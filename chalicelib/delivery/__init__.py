"""Images at any size from one URL: its grammar and signature, the rendering, and the way of a request."""
