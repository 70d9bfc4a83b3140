// The ceiling of the webhooks bench: what is read is sent, from memory. Nothing is durable, nothing is tried again.
import { concurrency, send } from './webhooks-send.ts';
import { listen, type Notification } from './webhooks-upstream.ts';

let waiting: Notification[] = [];
let first = 0;
let inFlight = 0;

function next(): void {
  while (inFlight < concurrency && first < waiting.length) {
    const notification = waiting[first++] as Notification;
    inFlight += 1;
    void send(notification).then(ended, ended);
  }
  if (first < waiting.length) return;
  waiting = [];
  first = 0;
}

function ended(): void {
  inFlight -= 1;
  next();
}

listen((notification) => {
  waiting.push(notification);
  if (inFlight < concurrency) next();
});
