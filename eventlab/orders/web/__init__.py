"""The web side of the shop: REST and Socket.IO bring commands in, a page shows what became of them.

    from eventlab.orders.store import Store
    from eventlab.orders.web import OrderApi, serve

    api = OrderApi(Store("shop.db"), cluster.bootstrap_servers)
    with serve(api) as server:                 # on 127.0.0.1, on a free port
        print(server.link())                   # open it in a browser
        ...                                    # or POST to server.url with the token in a header

The map: `commands` (what one may ask, and the event that it makes), `requests` (idempotency keys),
`intake` (to Kafka by the outbox, or `direct`), `views` (what is read); `rest`, `sockets`, `feed`,
`page` and `api` put it on the web; `access`, `limits` and `guard` keep out what has no place there;
`server` runs it. Only these modules know FastAPI and Socket.IO.
"""

from eventlab.orders.web.api import OrderApi
from eventlab.orders.web.server import Server, serve

__all__ = ["OrderApi", "Server", "serve"]
