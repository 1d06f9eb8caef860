"""Proofsheet on a laptop: an emulator of AWS, the stack in it, and what `chalice local` leaves out."""
