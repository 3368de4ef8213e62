// A buyer at the page, who knows nothing but what elements are called: roles and accessible names.
import type { Locator, Page } from "playwright-core";

export class Buyer {
  constructor(
    readonly page: Page,
    readonly name: string,
  ) {}

  /** From the list of shows to one of them. */
  async openShow(title: string): Promise<void> {
    await this.page.getByRole("link", { name: title }).first().click();
    await this.page.getByRole("heading", { name: title, level: 1 }).waitFor();
  }

  /** The seats of a section as a list, in place of the map. */
  async openSection(title: string): Promise<void> {
    const list = this.page.getByRole("button", { name: "List", exact: true });
    if ((await list.getAttribute("aria-pressed")) !== "true") await list.click();
    await this.page.getByRole("button", { name: new RegExp(`^${title}`) }).click();
    await this.page.getByRole("grid", { name: `Seats of ${title}` }).waitFor();
  }

  /** A seat of the section that is open; by what it is as well, where that is told: `available`. */
  seat(row: string, number: number, status = ""): Locator {
    return this.page.getByRole("gridcell", { name: new RegExp(`^Row ${row}, seat ${number}, .*${status}$`) });
  }

  /** Takes a seat, and says who one is where that is asked. */
  async take(row: string, number: number): Promise<void> {
    await this.seat(row, number).click();
    if (!(await this.isAsked(row, number))) return;
    await this.page.getByRole("textbox", { name: "Your name" }).fill(this.name);
    await this.page.getByRole("button", { name: "Continue" }).click();
  }

  /** Whether it is asked who one is, now that one wants this seat: it is not where that is known. */
  async isAsked(row: string, number: number): Promise<boolean> {
    const field = this.page.getByRole("textbox", { name: "Your name" });
    await field.or(this.seat(row, number, "in your cart")).first().waitFor();
    return field.isVisible();
  }

  async reserve(): Promise<void> {
    await this.page.getByRole("button", { name: "Reserve now" }).click();
  }
}
