"""A lean HTTP/1.1 client for hot calls: POST a document, read the answer whole or as it comes. Pooled, bounded, timed.

A request costs a quarter of aiohttp's. For that it does little: no redirects, no proxies, no cookies, no compression
(none is asked for, and what is compressed all the same is refused), no retries: a POST whose connection breaks may have
been carried out, and whether it is worth another attempt is its caller's to say. What it reads is judged by llhttp.
It dials whatever it is told: for addresses that tenants chose it gets `chassis.outbound.guarded`.
"""

from chassis.http.client import Http, Response
from chassis.http.connection import Broken, NotConnected

__all__ = ["Broken", "Http", "NotConnected", "Response"]
