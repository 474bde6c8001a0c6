"""Guards, one module a way of judging. `makers.py` is the table of them."""
