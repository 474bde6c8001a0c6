"""The public formats in which language models are asked, one module each: what decides, how a stream ends."""
