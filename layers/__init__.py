"""The layers of template.yaml and the tools that build them."""
