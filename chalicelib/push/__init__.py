"""Push notifications: recipients, their game, and campaigns by SMS and to apps.

phone, template, parts, quiet, audience, game and platforms are pure: no AWS, no clock, no randomness.
"""
