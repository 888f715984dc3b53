"""From files to articles, sentences and chunks. Imports nothing else of Byline."""
