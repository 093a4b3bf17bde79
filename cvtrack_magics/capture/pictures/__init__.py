"""What is wrong with the pictures of a data set, and with their labels.

``sources.py`` opens what people have as pictures, ``reading.py`` decodes each once, and
``copies.py``, ``labels.py`` and ``groups.py`` say what is wrong; ``check.py`` puts it together.
"""
