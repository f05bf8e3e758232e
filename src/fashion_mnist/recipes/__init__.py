"""Recipes: named settings, as what they change of the defaults. No stage imports it."""
