"""`make bench`: the platform and its peers side by side, in one run on this machine. Measures; owns no product code."""
