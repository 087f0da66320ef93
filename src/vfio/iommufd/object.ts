// iommufd objects: ids as the kernel counts them, reference counts, destruction (Linux 7.2
// iommufd).
import { fail } from "../errno.ts";

export type ObjectType =
  | "access"
  | "device"
  | "fault"
  | "hw-queue"
  | "hwpt-nested"
  | "hwpt-paging"
  | "ioas"
  | "vdevice"
  | "veventq"
  | "viommu";

/** What every iommufd object has. `users` starts at 1, the table's own reference. */
export abstract class IommufdObject {
  abstract readonly type: ObjectType;
  id = 0;
  users = 1;

  /** Releases what the object holds; called once, after it left the table. */
  abstract destroy(): void;
}

/** An id whose object is gone but which the kernel does not hand out again. */
const TOMBSTONE = Symbol("tombstone");

/**
 * The objects of one iommufd. A new object gets the lowest free id from 1, so ids are reused as
 * soon as an object is destroyed; an id whose owner vanished under user space stays taken.
 */
export class ObjectTable {
  private readonly slots = new Map<number, IommufdObject | typeof TOMBSTONE>();
  private lowestFree = 1;

  /** Gives the object its id and publishes it. */
  add<T extends IommufdObject>(object: T): T {
    while (this.slots.has(this.lowestFree)) this.lowestFree++;
    object.id = this.lowestFree;
    this.slots.set(object.id, object);
    return object;
  }

  /** The object with that id and one of the types. ENOENT otherwise. */
  get<T extends IommufdObject>(id: number, ...types: ObjectType[]): T {
    const found = this.slots.get(id);
    if (found === undefined || found === TOMBSTONE) fail("ENOENT", `no object has id ${id}`);
    if (types.length > 0 && !types.includes(found.type))
      fail("ENOENT", `object ${id} is a ${found.type}, not a ${types.join(" or ")}`);
    return found as T;
  }

  /** IOMMU_DESTROY: ENOENT for an unknown id, EBUSY while anything still refers to the object. */
  destroy(id: number): void {
    const object = this.get(id);
    if (object.users !== 1)
      fail("EBUSY", `${object.type} ${id} has ${object.users - 1} other user(s)`);
    this.remove(object);
  }

  /** Takes the object out whatever its count is and destroys it; its id can be given again. */
  remove(object: IommufdObject): void {
    this.slots.delete(object.id);
    if (object.id < this.lowestFree) this.lowestFree = object.id;
    object.destroy();
  }

  /**
   * Destroys an object that user space still names by id: the id stays taken until the fd closes.
   */
  bury(object: IommufdObject): void {
    this.slots.set(object.id, TOMBSTONE);
    object.destroy();
  }

  /** All live objects in the order of their ids. */
  list(): IommufdObject[] {
    return [...this.slots.entries()]
      .sort(([a], [b]) => a - b)
      .flatMap(([, slot]) => (slot === TOMBSTONE ? [] : [slot]));
  }
}
