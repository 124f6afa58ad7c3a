// What the visitor reads.
const TEXTS = {
  en: {
    title: "Chat with us", greeting: "Hello!", invite: "Ask us anything: the answer comes here.",
    online: "We answer right here", offline: "No connection, we will send it later",
    away: "No answer from the chat just now, we keep trying", closed: "The chat does not work on this page", waiting: "Not sent yet, we keep trying",
    open: "Open the chat", close: "Close the chat", placeholder: "Your message…", send: "Send",
    you: "You", team: "Team", sending: "Sending…", sent: "Sent", failed: "Not sent.", retry: "Try again", edited: "edited", download: "Download", gone: "The file is not available now",
  },
  ru: {
    title: "Напишите нам", greeting: "Здравствуйте!", invite: "Спросите о чём угодно: ответ придёт сюда.",
    online: "Отвечаем прямо здесь", offline: "Нет связи, отправим чуть позже",
    away: "Чат сейчас не отвечает, пробуем ещё", closed: "На этой странице чат не работает", waiting: "Ещё не отправлено, пробуем снова",
    open: "Открыть чат", close: "Закрыть чат", placeholder: "Ваше сообщение…", send: "Отправить",
    you: "Вы", team: "Команда", sending: "Отправляется…", sent: "Отправлено", failed: "Не отправлено.", retry: "Повторить", edited: "изменено", download: "Скачать", gone: "Файл сейчас недоступен",
  },
  uk: {
    title: "Напишіть нам", greeting: "Вітаємо!", invite: "Запитайте про що завгодно: відповідь прийде сюди.",
    online: "Відповідаємо просто тут", offline: "Немає зв’язку, надішлемо згодом",
    away: "Чат зараз не відповідає, пробуємо ще", closed: "На цій сторінці чат не працює", waiting: "Ще не надіслано, пробуємо знову",
    open: "Відкрити чат", close: "Закрити чат", placeholder: "Ваше повідомлення…", send: "Надіслати",
    you: "Ви", team: "Команда", sending: "Надсилається…", sent: "Надіслано", failed: "Не надіслано.", retry: "Повторити", edited: "змінено", download: "Завантажити", gone: "Файл зараз недоступний",
  },
};
