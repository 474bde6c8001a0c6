"""A transport for calls: many of them over one long-lived gRPC stream, under the ordinary stubs and servicers.

Owns aisp.relay.v1, and the life of a call on both sides: opening, credit, ending, cancelling. It decides nothing about
calls: deadlines and retries are the service config's, errors and contexts the layers'. A method with one request
rides here; one with a stream of requests (uploads) keeps a gRPC stream of its own, with its own flow control.
"""
