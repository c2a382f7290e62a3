// A client of Socket.IO, as far as this page needs one: version 5 of its protocol in version 4 of
// Engine.IO's, over WebSocket alone, one namespace, no binary data.
//
//   https://socket.io/docs/v4/engine-io-protocol/    0 open  2 ping  3 pong  4 message
//   https://socket.io/docs/v4/socket-io-protocol/    40 connect  41 disconnect  42 event  43 ack
//                                                    44 connect error
//
// const socket = connect({token}, {event: data => ..., state: text => ...});
// const answer = await socket.call("place_order", order);

const ACKNOWLEDGED_WITHIN = 15000; // ms
const LONGEST_PAUSE = 5000;

export function connect(auth, on) {
  let socket, heartbeat, pause = 250, number = 0, connected = false;
  const waiting = new Map();

  function open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/socket.io/?EIO=4&transport=websocket`);
    socket.onmessage = ({data}) => receive(data);
    socket.onclose = lost;
    on.state("connecting");
  }

  function lost() {
    clearTimeout(heartbeat);
    connected = false;
    for (const {reject} of waiting.values()) reject(new Error("The connection was lost."));
    waiting.clear();
    on.state("away");
    setTimeout(open, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }

  function receive(text) {
    if (text[0] === "0") {
      const {pingInterval, pingTimeout} = JSON.parse(text.slice(1));
      listen(pingInterval + pingTimeout);
      socket.send("40" + JSON.stringify(auth));
    } else if (text[0] === "2") {
      listen();
      socket.send("3");
    } else if (text.startsWith("40")) {
      connected = true;
      pause = 250;
      on.state("connected");
    } else if (text.startsWith("44")) {
      socket.onclose = null; // the token is of another start: no use to try again
      socket.close();
      on.state("refused");
    } else if (text.startsWith("42")) {
      const [name, ...data] = JSON.parse(text.slice(2));
      on[name]?.(...data);
    } else if (text.startsWith("43")) {
      const [, id, data] = /^43(\d+)(.*)$/s.exec(text);
      waiting.get(Number(id))?.resolve(JSON.parse(data)[0]);
      waiting.delete(Number(id));
    }
  }

  let patience;
  function listen(within = patience) { // a server that sends no ping any more is gone
    patience = within;
    clearTimeout(heartbeat);
    heartbeat = setTimeout(() => socket.close(), patience);
  }

  function call(name, ...data) {
    if (!connected) return Promise.reject(new Error("There is no connection."));
    const id = number++;
    return new Promise((resolve, reject) => {
      waiting.set(id, {resolve, reject});
      setTimeout(() => {
        if (waiting.delete(id)) reject(new Error("There was no answer."));
      }, ACKNOWLEDGED_WITHIN);
      socket.send(`42${id}${JSON.stringify([name, ...data])}`);
    });
  }

  open();
  return {call};
}
