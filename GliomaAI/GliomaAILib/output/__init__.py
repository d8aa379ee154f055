"""An Assessment becomes files."""
