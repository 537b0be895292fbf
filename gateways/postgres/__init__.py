"""The PostgreSQL wire protocol, versions 3.0 and 3.2, as something that passes through and is understood on the way."""
