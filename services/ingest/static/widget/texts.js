// What the visitor reads.
const TEXTS = {
  en: {
    title: "Chat with us", greeting: "Hello! 👋", invite: "Write to us, we answer right here.",
    online: "We answer right here", offline: "No connection. We will send it as soon as it is back.",
    open: "Open the chat", close: "Close the chat", placeholder: "Your message…", send: "Send",
    you: "You", team: "Team", sending: "Sending…", sent: "Sent", failed: "Not sent.", retry: "Try again", edited: "edited",
  },
  ru: {
    title: "Напишите нам", greeting: "Здравствуйте! 👋", invite: "Напишите, мы ответим прямо здесь.",
    online: "Отвечаем прямо здесь", offline: "Нет связи. Отправим, как только она появится.",
    open: "Открыть чат", close: "Закрыть чат", placeholder: "Ваше сообщение…", send: "Отправить",
    you: "Вы", team: "Команда", sending: "Отправляется…", sent: "Отправлено", failed: "Не отправлено.", retry: "Повторить", edited: "изменено",
  },
  uk: {
    title: "Напишіть нам", greeting: "Вітаємо! 👋", invite: "Напишіть, ми відповімо просто тут.",
    online: "Відповідаємо просто тут", offline: "Немає зв’язку. Надішлемо, щойно він з’явиться.",
    open: "Відкрити чат", close: "Закрити чат", placeholder: "Ваше повідомлення…", send: "Надіслати",
    you: "Ви", team: "Команда", sending: "Надсилається…", sent: "Надіслано", failed: "Не надіслано.", retry: "Повторити", edited: "змінено",
  },
};
