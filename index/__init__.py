"""The searchable side: embeddings, FAISS, BM25, and the generation folder that holds them."""
