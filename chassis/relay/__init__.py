"""A transport for calls: many of them as frames on one socket, under the ordinary stubs and servicers.

Owns the frames, aisp.relay.v1 (which tells where the socket is), and the life of a call on both sides: opening, credit,
ending, cancelling. It decides nothing about calls: deadlines and retries are the service config's, errors and contexts
the layers'. A method with one request rides here; one with a stream of requests (uploads) is a gRPC call, with gRPC's
flow control, and so is every call while no socket can be had.
"""
