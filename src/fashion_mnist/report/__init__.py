"""The comment on a pull request: what a change does, in Markdown and pictures.

No stage imports it.
"""
