"""The HTTP interface: FastAPI over the parts of `service.assembly`."""
