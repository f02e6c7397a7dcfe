// rule: construct
export function handle(input) {
  return class {
    #x = 1;
  };
}
