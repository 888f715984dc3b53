"""From a question and the hits for it to an answer whose every sentence is cited."""
