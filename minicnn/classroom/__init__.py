"""The Python side of the documentation's live pages: runs in the reader's browser, in Pyodide.

    cells.py       runs the cells of a page; what a cell prints, raises and writes is shown below it
    textbook.py    replaces the code of a textbook module by the reader's, and has the gradient doctor check it
    messages.py    what the page asks, and the answers, as JSON

The other side, the page and its web worker, is in the folder `docs/classroom/`.
"""
