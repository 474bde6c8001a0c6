"""What every service is bolted to: settings, errors, the signed context, servers, clients, data access.

It knows no service and no contract: nothing here imports a service or the generated protobuf code.
"""
