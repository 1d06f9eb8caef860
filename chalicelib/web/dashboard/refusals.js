// What Cognito refuses, in words for the person who typed it.

export const RULES = "At least 12 characters, with a capital letter, a small one and a digit.";

const WORDS = {
  NotAuthorizedException: { message: "The e-mail address or the password is not right." },
  UserNotFoundException: { message: "The e-mail address or the password is not right." },
  UsernameExistsException: {
    field: "email",
    message: "This address has an account already. Sign in instead.",
  },
  InvalidPasswordException: { field: "password", message: `This password is too easy. ${RULES}` },
  CodeMismatchException: { field: "code", message: "This is not the code that was sent." },
  ExpiredCodeException: { field: "code", message: "This code is no longer valid. Ask for another one." },
  LimitExceededException: { message: "Too many tries. Wait a few minutes and try again." },
  TooManyRequestsException: { message: "Too many tries at once. Wait a moment and try again." },
  TooManyFailedAttemptsException: { message: "Too many tries. Wait a few minutes and try again." },
  NetworkError: { message: "The sign-in service cannot be reached. Check your connection and try again." },
  TypeError: { message: "The sign-in service cannot be reached. Check your connection and try again." },
};

/** {message, field}: field is that of the form where it belongs, if it belongs to one. */
export function worded(error) {
  return wordsOf(error) ?? { message: error.message || "That did not work. Try again." };
}

/** Cognito has one name for a wrong password, too many of them, a disabled account and a step that came too late. */
function wordsOf({ name, message }) {
  if (name === "NotAuthorizedException" && !/incorrect/i.test(message)) return { message };
  return WORDS[name];
}
