"""Matrices, documents by words: text, bags of words, files of numbers, ratings -> rows and columns in cells.

describe_matrix(paths, options) -> Source       look at the files, check them
MatrixCells, RatingCells                        the programs of numbers and of ratings; text and counts are read as for topics
DocumentNames                                   the program of what documents of text are called
MatrixLayout(*default_blocks(entries, rank))    the program "tokens", "vocabulary" -> "rows", "columns", "vocabulary"
"""

from regrow.data.matrix.cells import MatrixCells
from regrow.data.matrix.layout import MatrixLayout, default_blocks
from regrow.data.matrix.names import DocumentNames
from regrow.data.matrix.ratings import RatingCells
from regrow.data.matrix.source import MatrixSource, describe_matrix

__all__ = ["DocumentNames", "MatrixCells", "MatrixLayout", "MatrixSource", "RatingCells", "default_blocks", "describe_matrix"]
