"""Owns transcription, synthesis and voices. Models work in processes of their own."""
