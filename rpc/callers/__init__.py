"""Who calls and what they may do: tokens, certificates, roles and limits."""
