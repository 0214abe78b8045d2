"""stylobench: benchmarks for language models fine-tuned to write like one author."""

__version__ = "0.1.0"
