"""What tests share; there are no tests here."""
