"""Contractions: loops of ours, functions of ours for just their sizes, and BLAS."""
