import { Premier } from 'premier';

export const premier = new Premier();
