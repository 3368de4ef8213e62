// The custom element <box-office-map>: a seat map for pages of others.
export {};
