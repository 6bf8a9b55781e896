"""The dashboard over a real progress server: what pages are answered and sent."""
