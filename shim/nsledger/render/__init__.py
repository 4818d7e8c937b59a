"""Text, tables, pages, diagrams, and the sentences of `explain`."""
