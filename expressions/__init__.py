"""Expressions that a person taught the tracker: recorded, trained, recognised.

`features` makes numbers of a face, `collection` keeps recordings and what was learnt from them in a file, `classifier`
tells which expression a face makes, and docs/expressions.md describes both for other programs.
"""
