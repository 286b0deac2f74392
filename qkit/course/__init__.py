"""What a reader does in the notebooks: predicts, answers, looks up a word; kept in a ledger."""
