"""The handbook's pages, as the gateway shows them."""
