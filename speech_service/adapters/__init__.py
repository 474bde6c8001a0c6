"""Speech models: local ones in worker processes, OpenAI through its SDK; and the encoders of audio files."""
