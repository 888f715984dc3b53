"""The searchable side: embeddings, FAISS, BM25, and the generation folder that holds them."""

import os

# Threads that spin while they wait make encoding and searching ten times slower as soon as anything else wants a core
# (docs/measurements.md). libgomp reads this once, when the first of faiss and torch is imported, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
