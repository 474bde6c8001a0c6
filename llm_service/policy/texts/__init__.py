"""Where the words are in documents of each public format: what a model is asked, what it says, what it is streaming."""
