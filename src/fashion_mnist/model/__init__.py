"""Networks, their files, and what they are computed on. Whatever changes here retrains."""
