// A part of the page that stands beside the others where there is room, and in a dialog where there is not.

export class Placed {
  /**
   * @param {HTMLElement} element Hidden while it is closed.
   * @param {HTMLDialogElement} dialog Where it goes on narrow windows.
   * @param {string} narrow Media query.
   * @param {object} options `stays`: it is always open where there is room; `onClose`.
   */
  constructor(element, dialog, narrow, { stays = false, onClose = () => {} } = {}) {
    Object.assign(this, { element, dialog, stays, onClose });
    this.home = document.createComment("");
    element.before(this.home);
    this.narrow = matchMedia(narrow);
    this.narrow.addEventListener("change", () => this.#moved());
    dialog.addEventListener("close", () => this.narrow.matches && !dialog.open && this.close());
    dialog.addEventListener("click", (event) => event.target === dialog && this.close());
    this.isOpen = false;
    if (stays && !this.narrow.matches) this.open();
    else element.hidden = true;
  }

  /** Show it; the focus stays where it is unless a dialog takes it. */
  open(from = null) {
    this.from = from;
    this.isOpen = true;
    this.element.hidden = false;
    if (!this.narrow.matches) {
      if (this.element.previousSibling !== this.home) this.home.after(this.element);
      return;
    }
    this.dialog.append(this.element);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** Hide it, and give the focus back to what opened it. */
  close() {
    if (!this.isOpen || (this.stays && !this.narrow.matches)) return;
    this.isOpen = false;
    const hadFocus = this.element.contains(document.activeElement) || document.activeElement === document.body;
    if (this.dialog.open) this.dialog.close();
    this.element.hidden = true;
    if (hadFocus && this.from?.isConnected) this.from.focus();
    this.onClose();
  }

  #moved() {
    const wanted = this.isOpen && !(this.stays && this.narrow.matches);
    if (this.dialog.open) this.dialog.close();
    if (wanted || (this.stays && !this.narrow.matches)) this.open(this.from);
    else {
      this.isOpen = false;
      this.element.hidden = true;
    }
  }
}
