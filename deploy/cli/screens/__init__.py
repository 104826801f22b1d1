"""What commands show of a system on one screen of 80 columns."""
