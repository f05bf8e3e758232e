"""What every stage stands on. Only what training needs too: whatever changes here retrains."""
