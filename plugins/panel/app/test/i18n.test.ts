import { describe, expect, it } from "vitest";
import { fill, language, preferred, t } from "../src/i18n";
import { en } from "../src/i18n/en";
import { es } from "../src/i18n/es";

const places = (sentence: string) => [...sentence.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();

describe("the catalogues", () => {
  it("have the same values in each sentence, and no empty one", () => {
    for (const key of Object.keys(en) as (keyof typeof en)[]) {
      expect(places(es[key]), key).toEqual(places(en[key]));
      expect(es[key].trim(), key).not.toBe("");
    }
  });

  it("are chosen by what is preferred, as far as it is there", () => {
    expect(preferred([undefined, "de-AT", "es-MX", "en"])).toBe("es");
    expect(preferred(["toString"])).toBe("en");
    language.value = "es";
    expect(t("server.since", { time: "10:00" })).toBe("desde las 10:00");
    language.value = "en";
    expect(t("server.since", { time: "10:00" })).toBe("since 10:00");
  });

  it("put values in as they are", () => {
    expect(fill("{a} and {b}", { a: "$&{b}" })).toBe("$&{b} and {b}");
  });
});
