"""Wire-level stand-ins for cloud services: real HTTP on loopback, the provider's own formats, faults on request."""
